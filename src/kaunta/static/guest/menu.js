// Plus, minus and the search without a round trip; without script the same buttons post and come back with the answer.
(()=>{
let $=i=>document.getElementById(i),form=$('order'),find=$('find'),
plain=s=>s.toLowerCase(),
count=(l,n)=>{
let i=l.querySelector('input'),plus=l.lastChild,say=s=>form.dataset[s].replace('{item}',l.firstChild.firstChild.data);
if(n&&!i){
let minus=plus.cloneNode();
minus.value='minus'+plus.value.slice(4);
minus.textContent='−';
minus.ariaLabel=say('fewer');
i=document.createElement('input');
i.name='q'+plus.value.slice(4);
i.inputMode='numeric';
i.ariaLabel=say('number');
plus.before(minus,i)
}
if(n)i.value=n;
else if(i){
plus.focus();
i.previousSibling.remove();
i.remove()
}},
label=()=>{
let n=0,sum=0,b=$('send'),pay=b.nextElementSibling;
form.querySelectorAll('li input').forEach(i=>{
n+=+i.value;
sum+=i.value*i.parentNode.querySelector('small').textContent.replace(/\D/g,'')});
b.textContent=n?b.dataset.with.replace('{}','KES\xa0'+sum.toLocaleString('en')):b.dataset.plain;
b.classList.toggle('two',!n&&pay);
pay?.classList.toggle('two',n)};
if(form){
form.onclick=e=>{
let b=e.target.closest('[name=step]'),l=b?.parentNode;
if(!b)return;
e.preventDefault();
count(l,Math.max(0,Math.min(20,(l.querySelector('input')?.value|0)+(b.value[0]=='m'?-1:1))));
label()};
form.oninput=label;
addEventListener('fresh',label);
label()
}
if(find&&!find.defaultValue)find.oninput=()=>{
let some=0,words=plain(find.value).split(' ');
$('menu').querySelectorAll('section').forEach(s=>{
let there=0;
s.querySelectorAll('li').forEach(l=>{
l.hidden=!l.querySelector('input')&&!words.every(w=>plain(l.firstChild.textContent+' '+s.firstChild.textContent).includes(w));
there+=!l.hidden});
s.hidden=!there;
some+=there});
$('nothing').hidden=some
}
})();
