// What moves by the second: the prompt's minute, the cool-down, the clock that makes a screenshot weak proof.
// Every count begins at the server's word: a cheap phone's own clock is often wrong.
(()=>{
let all=(s,f)=>document.querySelectorAll(s).forEach(f),at=(s,i)=>new Date(s*1e3).toISOString().slice(i,19),
tick=()=>all('[data-s]',e=>{
let {s,text,down}=e.dataset,n=(Date.now()-(e.born??=Date.now()))/1e3|0;
if(e.max){
e.value=n+=+s;
if(n>19)e.told||=document.getElementById('none').open=1
}else if(down){
e.textContent=n<s?text.replace('{}',at(s-n,14)):down;
all('[data-cool]',b=>b.disabled=n<s)
}else e.textContent=at(+s+n,11)});
tick();
addEventListener('fresh',tick);
setInterval(tick,1e3)
})();
