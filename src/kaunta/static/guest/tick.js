// What moves by the second: the prompt's minute, the cool-down, the clock that makes a screenshot weak proof.
setInterval(()=>{
let all=(s,f)=>document.querySelectorAll(s).forEach(f);
all('progress',e=>e.value++);
all('[data-clock]',e=>e.textContent=new Date().toLocaleTimeString('en-GB',{timeZone:'Africa/Nairobi'}));
all('[data-until]',e=>{
let s=Math.ceil(e.dataset.until-Date.now()/1e3);
e.textContent=s>0?e.dataset.text.replace('{}',(s/60|0)+':'+(s%60+'').padStart(2,0)):'';
if(s<1)all('[data-cool]',b=>b.disabled=false)})
},1e3);
